"""Given names and surnames of several communities of India, and the religion that goes with each.

Belongs here: word lists only; every full name is a random pair of them. Must stay out: anything drawn or computed.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Community:
    """A pool of names.

    Attributes:
        religion: As the table writes it.
        weight: Share of the people, relative to the other communities.
        female: Given names of women.
        male: Given names of men.
        surnames: Family names.
    """

    religion: str
    weight: float
    female: tuple[str, ...]
    male: tuple[str, ...]
    surnames: tuple[str, ...]


def _community(religion: str, weight: float, female: str, male: str, surnames: str) -> Community:
    return Community(religion, weight, tuple(female.split()), tuple(male.split()), tuple(surnames.split()))


COMMUNITIES = (
    _community(
        "hindu",
        24.0,
        "Aarti Anjali Asha Deepika Geeta Kavita Kiran Manisha Meena Neha Pooja Priya Rekha Ritu Sadhana "
        "Shweta Sunita Vandana",
        "Abhishek Ajay Alok Amit Anil Ashok Deepak Gaurav Manoj Mukesh Nitin Pankaj Pradeep Rajesh Rohit "
        "Sanjay Suresh Vivek",
        "Agarwal Awasthi Bajpai Chauhan Dubey Gupta Kumar Mishra Pandey Rathore Saxena Sharma Shukla Singh "
        "Srivastava Tiwari Tripathi Verma Yadav",
    ),
    _community(
        "hindu",
        9.0,
        "Aditi Archana Ashwini Gauri Jyoti Madhuri Mrunal Rutuja Sayali Shubhangi Snehal Supriya Tejaswini Vaishali",
        "Aniket Chetan Digambar Ganesh Hrishikesh Kedar Mahesh Nilesh Omkar Prasad Sachin Sandip Swapnil Tushar Yogesh",
        "Bhosale Chavan Deshmukh Deshpande Gaikwad Jadhav Joshi Kadam Kale Kulkarni Lokhande More Pawar Patil "
        "Sawant Shinde",
    ),
    _community(
        "hindu",
        7.0,
        "Bhavna Bhoomi Darshana Dhara Falguni Hetal Jigna Komal Krupa Mittal Nisha Payal",
        "Bhavesh Chirag Dhaval Hardik Hiren Jayesh Jignesh Ketan Mehul Nirav Parth Vipul",
        "Amin Bhatt Chaudhari Dave Desai Joshi Modi Parikh Parmar Patel Solanki Thakkar Trivedi Vyas",
    ),
    _community(
        "hindu",
        8.0,
        "Ananya Barnali Debjani Indrani Moumita Paromita Rituparna Sharmila Soma Sreya Sukanya Tanusree",
        "Abhijit Anirban Arnab Debashis Kaushik Partha Prosenjit Sourav Subhash Sudipta Suman Tapas",
        "Banerjee Basu Bhattacharya Bose Chakraborty Chatterjee Das Dutta Ghosh Mukherjee Roy Sarkar Sen",
    ),
    _community(
        "hindu",
        8.0,
        "Bhuvaneswari Gayathri Kalpana Kavitha Malathi Meenakshi Nithya Revathi Sangeetha Selvi Vasanthi Yamuna",
        "Arun Balaji Dinesh Karthik Manikandan Murugan Prabhu Saravanan Senthil Sivakumar Vignesh Vijay",
        "Annamalai Balasubramanian Chidambaram Ganesan Iyer Krishnan Murugesan Natarajan Palanisamy Raman "
        "Ramasamy Subramanian Sundaram Venkatesan",
    ),
    _community(
        "hindu",
        8.0,
        "Anusha Bhargavi Divya Haritha Keerthi Lakshmi Lavanya Mounika Padmavathi Ramya Sravani Swathi",
        "Anand Chaitanya Harish Kalyan Madhav Naveen Pavan Rajasekhar Ravi Sai Srinivas Venkatesh",
        "Chowdary Gudipati Kommineni Naidu Nagireddy Pasupuleti Prasad Raju Rao Reddy Tadepalli Varma Yerramilli",
    ),
    _community(
        "hindu",
        6.0,
        "Akshata Bhagya Chaitra Deepa Kavya Megha Nandini Pallavi Roopa Shruthi Sushma",
        "Basavaraj Chandrashekar Girish Guru Lokesh Manjunath Nagaraj Raghavendra Santosh Shivakumar Umesh",
        "Bhat Gowda Hegde Hiremath Kamath Nayak Pai Patil Prabhu Shenoy Shetty Urs",
    ),
    _community(
        "hindu",
        4.0,
        "Amrutha Athira Bindu Devika Maya Parvathy Remya Sreelakshmi Sindhu",
        "Ajith Anoop Biju Hari Jayan Pradeep Rajeev Sreejith Unnikrishnan",
        "Kurup Menon Nair Namboothiri Panicker Pillai Unnithan Warrier",
    ),
    _community(
        "muslim",
        14.0,
        "Aisha Amina Asma Farah Fatima Heena Mehnaz Nasreen Rukhsar Sabiha Saira Shabnam Shazia Tabassum Zainab Zoya",
        "Aamir Abdul Asif Faisal Farhan Imran Irfan Javed Mohsin Nadeem Rashid Salim Shahid Sohail Tariq "
        "Wasim Yusuf Zaheer",
        "Ahmed Ansari Baig Faruqui Hussain Khan Malik Mirza Pathan Qureshi Rizvi Sayyed Shaikh Siddiqui Usmani",
    ),
    _community(
        "christian",
        5.0,
        "Agnes Annie Celine Elsy Jessy Lissy Maria Mercy Rosy Shiny Sheeba Teresa",
        "Anthony Benny Francis George Jacob Jose Joseph Mathew Roy Sebastian Shibu Thomas",
        "Almeida Braganza Cherian Dsouza Fernandes Gomes Kuriakose Lobo Pereira Pinto Rodrigues Varghese Xavier",
    ),
    _community(
        "sikh",
        4.0,
        "Amandeep Baljeet Gurpreet Harleen Jasleen Manpreet Navjot Parminder Rajwinder Simran",
        "Amarjit Balwinder Daljit Gurdeep Harpreet Jaspreet Kulwant Manjit Ranjit Sukhdev",
        "Ahluwalia Bajwa Brar Dhillon Gill Grewal Kohli Sandhu Sidhu Sodhi Virk",
    ),
    _community(
        "jain",
        1.5,
        "Charmi Khushbu Namrata Riddhi Siddhi Sonal Trupti",
        "Arihant Bhavik Mahavir Paras Rishabh Sambhav Vardhaman",
        "Bafna Doshi Jain Kothari Lodha Mehta Sanghvi Shah",
    ),
    _community(
        "buddhist",
        1.5,
        "Karuna Maitreyi Pradnya Sujata Tenzin Yangchen",
        "Dorjee Milind Rahul Siddharth Tashi Vishwanath",
        "Bhutia Gajbhiye Kamble Lama Meshram Sherpa Wankhede",
    ),
)
